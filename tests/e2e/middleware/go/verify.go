// Judges the tokens on stdin, one a line, knowing only the issuer: "good SUBJECT" or "bad WHY" for each.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

func keySetOf(issuer string) (string, error) {
	answer, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var found struct {
		KeySet string `json:"jwks_uri"`
	}
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found.KeySet, err
}

func main() {
	issuer, audience, algorithm := os.Args[1], os.Args[2], os.Args[3]
	keySet, err := keySetOf(issuer)
	if err != nil {
		log.Fatal(err)
	}
	// --8<-- [start:keys]
	keys, err := keyfunc.NewDefault([]string{keySet})
	if err != nil {
		log.Fatal(err)
	}
	// --8<-- [end:keys]
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		text := lines.Text()
		// --8<-- [start:verify]
		token, err := jwt.Parse(text, keys.Keyfunc, jwt.WithIssuer(issuer), jwt.WithAudience(audience),
			jwt.WithValidMethods([]string{algorithm}), jwt.WithExpirationRequired())
		// --8<-- [end:verify]
		if err != nil {
			fmt.Printf("bad %q\n", err.Error())
			continue
		}
		subject, _ := token.Claims.GetSubject()
		fmt.Println("good", subject)
	}
}
