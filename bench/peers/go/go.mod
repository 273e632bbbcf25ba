module peer

go 1.24.0

require golang.org/x/crypto v0.43.0

require github.com/golang-jwt/jwt/v5 v5.3.1
