package demo

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// tokenVariable names the environment variable with the operator's token.
const tokenVariable = "CLOAKROOM_OPERATOR_TOKEN"

// operatorToken returns the token for the operator's page, and what the program prints about it: a
// random token, or only where it comes from.
func operatorToken() (token, shown string, err error) {
	const minLength = 16
	token, set := os.LookupEnv(tokenVariable)
	switch {
	case !set:
		token = rand.Text() // of 130 bits
		return token, token, nil
	case len(strings.TrimSpace(token)) < minLength:
		const text = "the token in %s has fewer than %d characters; choose a longer one, " +
			"or unset the variable for a random one"
		return "", "", fmt.Errorf(text, tokenVariable, minLength)
	}
	return token, "(that in " + tokenVariable + ")", nil
}

// gate compares what is entered with the token. It keeps a digest only. It limits the tries of
// everybody together, because all clients of a proxy have one address. While somebody uses up all
// tries the operator cannot enter; an operator who has entered is not affected.
type gate struct {
	digest [sha256.Size]byte
	tries  *rate.Limiter
}

const (
	triesAtOnce = 10
	tryAgain    = 3 * time.Second // adds one try
)

func newGate(token string) *gate {
	return &gate{digestOf(token), rate.NewLimiter(rate.Every(tryAgain), triesAtOnce)}
}

// digestOf returns the digest of a token without the space that copying it may have added.
func digestOf(token string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.TrimSpace(token)))
}

// verdict is what the gate says to a token.
type verdict int

const (
	wrongToken verdict = iota
	rightToken
	tooManyTries
)

// try compares a token, in a time that does not depend on it.
func (g *gate) try(token string) verdict {
	if !g.tries.Allow() {
		return tooManyTries
	}
	digest := digestOf(token)
	if subtle.ConstantTimeCompare(digest[:], g.digest[:]) == 1 {
		return rightToken
	}
	return wrongToken
}
