# One node on a volume. For production use more nodes, TLS, and an automatic unseal.
storage "raft" {
  path    = "/openbao/file"
  node_id = "one"
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
api_addr     = "http://openbao:8200"
cluster_addr = "http://openbao:8201"
disable_mlock = true
