// Command guards contains the code of docs/guards.md in one small program on Gin. The password of
// all users is "open sesame", and the code from their phones is 123456.
package main

import (
	"html/template"
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() {
	log.Fatal(app(sessions.Options{
		Cookie: sessions.Cookie{DisableSecure: true}, // for plain HTTP on localhost only
	}).Run("localhost:8080"))
}

func app(o sessions.Options) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	_ = r.SetTrustedProxies(nil)
	r.SetHTMLTemplate(template.Must(template.New("").Parse(pages)))
	r.Use(gin.Recovery(), errorPage)

	r.Use(sessions.RefuseCrossOrigin(nil))
	r.Use(sessions.New(o))
	r.POST("/sign-out", sessions.SignOut("/login"))

	r.GET("/login", loginPage)
	r.POST("/login", login)

	in := r.Group("/", sessions.Require(sessions.Requirement{LoginPage: "/login"}))
	in.GET("/account", account)
	in.GET("/confirm", func(c *gin.Context) { c.HTML(http.StatusOK, "confirm", nil) })
	in.POST("/confirm", confirm)

	lately := sessions.Require(sessions.Requirement{
		LoginPage: "/login", ConfirmPage: "/confirm", Level: 2, Within: 5 * time.Minute,
	})
	in.GET("/email", lately, emailPage)
	in.POST("/email", lately, sessions.RequireCSRFToken(), changeEmail)
	return r
}

func loginPage(c *gin.Context) {
	if sessions.Get(c).Subject() != "" { // Another tab was faster.
		c.Redirect(http.StatusSeeOther, sessions.ReturnPath(c, "/account"))
		return
	}
	c.HTML(http.StatusOK, "login", nil)
}

func login(c *gin.Context) {
	if c.PostForm("password") != "open sesame" {
		c.HTML(http.StatusForbidden, "login", nil)
		return
	}
	s := sessions.Get(c)
	how := sessions.SignIn{Auth: sessions.Auth{Methods: []string{"pwd"}, Level: 1}}
	if err := s.SignIn(c.Request.Context(), c.PostForm("user"), how); err != nil {
		fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, sessions.ReturnPath(c, "/account"))
}

func confirm(c *gin.Context) {
	if c.PostForm("code") != "123456" {
		c.HTML(http.StatusForbidden, "confirm", nil)
		return
	}
	proof := sessions.Auth{Methods: []string{"otp"}, Level: 2}
	if err := sessions.Get(c).Confirm(c.Request.Context(), proof); err != nil {
		fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, sessions.ReturnPath(c, "/account"))
}

func account(c *gin.Context) {
	s := sessions.Get(c)
	messages, err := s.TakeFlashes(c.Request.Context())
	if err != nil {
		fail(c, err)
		return
	}
	c.HTML(http.StatusOK, "account", gin.H{"User": s.Subject(), "Messages": messages})
}

func emailPage(c *gin.Context) {
	token, err := sessions.Get(c).CSRFToken()
	if err != nil {
		fail(c, err)
		return
	}
	c.HTML(http.StatusOK, "email", gin.H{"Field": sessions.CSRFField, "Token": token})
}

func changeEmail(c *gin.Context) {
	sessions.Get(c).AddFlash(sessions.FlashSuccess, "Your address is now "+c.PostForm("email"))
	c.Redirect(http.StatusSeeOther, "/account")
}

// fail answers an error of the library. The page comes from errorPage.
func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.Status(sessions.StatusCode(err))
	c.Abort()
}

// errorPage gives errors a page, those of the library among them. Mount it before the sessions.
func errorPage(c *gin.Context) {
	c.Next()
	if status := c.Writer.Status(); status >= 400 && !c.Writer.Written() {
		c.HTML(status, "error", http.StatusText(status))
	}
}

const pages = `
{{define "error"}}<p>{{.}}</p>{{end}}
{{define "login"}}
<form method="post">
	<input name="user"> <input name="password" type="password"> <button>Sign in</button>
</form>
{{end}}
{{define "confirm"}}
<form method="post"><input name="code"> <button>Confirm</button></form>
{{end}}
{{define "account"}}
{{range .Messages}}<p class="{{.Kind}}">{{.Text}}</p>{{end}}
<p>Signed in as {{.User}}</p>
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{end}}
{{define "email"}}
<form method="post">
	<input type="hidden" name="{{.Field}}" value="{{.Token}}">
	<input name="email"> <button>Change</button>
</form>
{{end}}
`
