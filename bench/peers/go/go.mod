module peer

go 1.24.0

require golang.org/x/crypto v0.43.0
