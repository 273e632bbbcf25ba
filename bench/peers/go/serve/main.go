// Go's net/http. Settings are variables of the environment; bench/suites/peers.py sets them.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"net/http"
	"os"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"
)

type peer struct {
	keys         map[string]*ecdsa.PublicKey
	parser       *jwt.Parser
	passwordHash []byte
}

func coordinate(text string) *big.Int {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		log.Fatal(err)
	}
	return new(big.Int).SetBytes(bytes)
}

func readKeys(path string) map[string]*ecdsa.PublicKey {
	var set struct {
		Keys []struct{ Kid, X, Y string }
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &set)
	}
	if err != nil {
		log.Fatal(err)
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, key := range set.Keys {
		keys[key.Kid] = &ecdsa.PublicKey{Curve: elliptic.P256(), X: coordinate(key.X), Y: coordinate(key.Y)}
	}
	return keys
}

func (p *peer) key(token *jwt.Token) (any, error) {
	id, _ := token.Header["kid"].(string)
	if key, found := p.keys[id]; found {
		return key, nil
	}
	return nil, fmt.Errorf("no key %q", id)
}

func (p *peer) verify(w http.ResponseWriter, r *http.Request) {
	text, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	claims := jwt.RegisteredClaims{}
	if found {
		_, err := p.parser.ParseWithClaims(text, &claims, p.key)
		found = err == nil
	}
	if !found {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("X-Auth-User", claims.Subject)
}

func (p *peer) login(w http.ResponseWriter, r *http.Request) {
	var login struct{ Password string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&login)
	if err != nil || bcrypt.CompareHashAndPassword(p.passwordHash, []byte(login.Password)) != nil {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func main() {
	p := &peer{
		keys: readKeys(os.Getenv("JWKS")),
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(),
			jwt.WithIssuer(os.Getenv("ISSUER")), jwt.WithAudience(os.Getenv("AUDIENCE"))),
		passwordHash: []byte(os.Getenv("PASSWORD_HASH")),
	}
	http.HandleFunc("GET /verify", p.verify)
	http.HandleFunc("POST /login", p.login)
	log.Fatal(http.ListenAndServeTLS("127.0.0.1:"+os.Getenv("PORT"), os.Getenv("TLS_CERT"), os.Getenv("TLS_KEY"), nil))
}
