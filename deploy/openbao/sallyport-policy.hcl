# What a service may do with the key-encryption key: use it, see its version, never read or export it.
path "transit/encrypt/sallyport" { capabilities = ["update"] }
path "transit/decrypt/sallyport" { capabilities = ["update"] }
path "transit/rewrap/sallyport"  { capabilities = ["update"] }
path "transit/keys/sallyport"    { capabilities = ["read"] }
# For `sallyport keys rotate`. Leave it out where rotation is somebody else's.
path "transit/keys/sallyport/rotate" { capabilities = ["update"] }
