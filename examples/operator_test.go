package examples_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOperatorToken starts a program without a token of ours: it makes one, and tells it once.
func TestOperatorToken(t *testing.T) {
	t.Parallel()
	binaries := build(t)
	first, out := printedToken(t, filepath.Join(binaries, "nethttp"))
	second, _ := printedToken(t, filepath.Join(binaries, "gin"))
	if first == second {
		t.Error("two programs have the same token")
	}
	v := visit(t, out.address)
	for _, token := range []string{second, first[1:], ""} {
		v.post("/operator", url.Values{"token": {token}}).wants(v, 403, "not the token")
	}
	v.post("/operator", url.Values{"token": {" " + first + "\n"}}).wants(v, 200, "administrator’s login")
	if told := out.stop(); strings.Count(told, first) != 1 {
		t.Errorf("the program tells its token more than once:\n%s", told)
	}
}

// printed is a program with all that it prints, on both outputs.
type printed struct {
	address string
	stop    func() string
}

// printedToken starts a program and returns the token that it has printed.
func printedToken(t *testing.T, binary string) (token string, out printed) {
	t.Helper()
	var all bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, "-addr", "localhost:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "CLOAKROOM_") })
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		cmd.Stderr = cmd.Stdout
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() && !strings.Contains(lines.Text(), "stop  ") {
		all.WriteString(lines.Text() + "\n")
	}
	found := regexp.MustCompile(`open +(http://\S+)\n +operator +(\S+)/operator\n +token +([A-Z2-7]{26})\n`).FindStringSubmatch(all.String())
	if len(found) != 4 || found[1] != found[2] {
		t.Fatalf("the program prints\n%s", &all)
	}
	out.address = found[1]
	out.stop = func() string {
		_ = cmd.Process.Signal(os.Interrupt)
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
		}
		_ = cmd.Wait()
		return all.String()
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return found[3], out
}

// A token that is easy to guess is refused when the program starts.
func TestOperatorTokenIsLong(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "fifteen letters", strings.Repeat(" ", 20)} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(build(t), "gin"), "-addr", "localhost:0") //nolint:gosec // the test's own
		cmd.Env = append(os.Environ(), "CLOAKROOM_OPERATOR_TOKEN="+token)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "choose a longer one") || token != "" && strings.Contains(string(out), token) {
			t.Errorf("token %q: %v\n%s", token, err, out)
		}
	}
}

// What the operator's cookie is for is in its attributes.
func TestOperatorCookie(t *testing.T) {
	t.Parallel()
	v := visit(t, start(t, filepath.Join(build(t), "nethttp")))
	got := v.answers("/operator", url.Values{"token": {operatorToken}})
	want := regexp.MustCompile(`^operator=[A-Za-z0-9_-]{64}; Path=/operator; HttpOnly; SameSite=Strict$`)
	if fields := got.header["Set-Cookie"]; got.status != http.StatusSeeOther || len(fields) != 1 || !want.MatchString(fields[0]) {
		t.Errorf("status %d, Set-Cookie %q, want 303 and %s", got.status, fields, want)
	}
	cross := v.request(http.MethodPost, "/operator", url.Values{"token": {operatorToken}})
	cross.Header.Set("Sec-Fetch-Site", "same-site")
	v.send(cross).wants(v, 403, "Not from this site")
}
