// Go's x/crypto: hash COST COUNT
package main

import (
	"os"
	"strconv"

	"golang.org/x/crypto/bcrypt"
)

func main() {
	cost, _ := strconv.Atoi(os.Args[1])
	count, _ := strconv.Atoi(os.Args[2])
	for i := 0; i < count; i++ {
		if _, err := bcrypt.GenerateFromPassword([]byte("correct horse battery"), cost); err != nil {
			panic(err)
		}
	}
}
