"""What `alagg support` puts into its archive: what the host, the file and the node say, without secrets."""
