#!/bin/sh
# Run once by docker compose: initialises and unseals OpenBao, makes the transit key, the policy and the services' role.
# The unseal key and the root token stay in the volume "openbao-keys": keep a copy elsewhere, and for production unseal
# by your cloud's key service instead.
set -eu
umask 077
keys=/keys
export BAO_ADDR=http://openbao:8200

until bao status >/dev/null 2>&1 || [ $? -eq 2 ]; do sleep 1; done
if ! bao status 2>/dev/null | grep -q '^Initialized *true'; then
  bao operator init -key-shares=1 -key-threshold=1 >"$keys/init"
  sed -n 's/^Unseal Key 1: //p' "$keys/init" >"$keys/unseal"
  sed -n 's/^Initial Root Token: //p' "$keys/init" >"$keys/token"
  rm "$keys/init"
fi
bao operator unseal "$(cat "$keys/unseal")" >/dev/null
BAO_TOKEN=$(cat "$keys/token")
export BAO_TOKEN
until bao token lookup >/dev/null 2>&1; do sleep 1; done
bao secrets list | grep -q '^transit/' || bao secrets enable transit >/dev/null
bao auth list | grep -q '^approle/' || bao auth enable approle >/dev/null
bao read transit/keys/sallyport >/dev/null 2>&1 || bao write -f transit/keys/sallyport type=aes256-gcm96 >/dev/null
bao policy write sallyport /prepare/sallyport-policy.hcl >/dev/null
bao write auth/approle/role/sallyport token_policies=sallyport token_ttl=1h token_max_ttl=24h >/dev/null
bao read -field=role_id auth/approle/role/sallyport/role-id >/role/role_id
[ -s /role/secret_id ] || bao write -f -field=secret_id auth/approle/role/sallyport/secret-id >/role/secret_id
# The services run as another user.
chown 65532:65532 /role/role_id /role/secret_id
echo "OpenBao is ready"
