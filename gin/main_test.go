package sessions_test

import (
	"os"
	"testing"

	"github.com/gin-gonic/gin"
)

// TestMain keeps Gin from printing its routes.
func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}
