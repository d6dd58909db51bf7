package migrate_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // It is what the Python library signs with.
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/redis/go-redis/v9"
	"github.com/vmihailenco/msgpack/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/examples/migrate/flask"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// python stands for a Python application with Flask-Session: it writes records and cookies as that does. With
// SESSION_PERMANENT, the default, each record has "_permanent", and Flask-Login adds "_user_id" and "_fresh".
type python struct {
	flask.Config
	encode func(any) ([]byte, error)
	set    func(ctx context.Context, key string, value []byte, life time.Duration) error
}

func (p *python) start(t *testing.T, shared bool) *application {
	t.Helper()
	a := &application{ends: true}
	p.CookieName = oldName
	a.prepare(t, oldName, shared)
	a.after = newApp(a, p.Read)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		id := make([]byte, 32)
		_, _ = rand.Read(id)
		sid := base64.RawURLEncoding.EncodeToString(id)
		record := map[string]any{"_permanent": true, "_fresh": true, "_user_id": "ann", "cart": "coat"}
		data, err := p.encode(record)
		if err == nil {
			err = p.set(r.Context(), "session:"+sid, data, 31*day)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Set-Cookie", oldName+"="+p.sign(sid)+"; HttpOnly; Path=/")
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		old, err := p.Read(r)
		if err == nil && old.End != nil {
			err = old.End(r.Context())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Set-Cookie", oldName+"=; Max-Age=0; Path=/")
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		old, err := p.Read(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		text := visitor
		if old.User != "" {
			text = old.User + " coat"
		}
		_, _ = fmt.Fprint(w, text)
	})
	a.before = mux
	return a
}

// sign returns the value of the cookie, as itsdangerous signs it with the key derivation "hmac".
func (p *python) sign(sid string) string {
	if len(p.SecretKeys) == 0 {
		return sid
	}
	derive := hmac.New(sha1.New, []byte(p.SecretKeys[0]))
	derive.Write([]byte("flask-session"))
	mac := hmac.New(sha1.New, derive.Sum(nil))
	mac.Write([]byte(sid))
	return sid + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func pythonRedis(t *testing.T, p python) *python {
	t.Helper()
	server := testserver.Shared(t, testserver.Redis{})
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	p.Records = flask.Redis{Client: client}
	p.set = func(ctx context.Context, key string, value []byte, life time.Duration) error {
		return client.Set(ctx, key, value, life).Err()
	}
	return &p
}

func pythonMongoDB(t *testing.T, p python) *python {
	t.Helper()
	url := testserver.Shared(t, testserver.Mongo{}).Database(t)
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() { _ = client.Disconnect(ctx) })
	collection := client.Database(testserver.Name()).Collection("sessions")
	p.Records = flask.MongoDB{Collection: collection}
	p.set = func(ctx context.Context, key string, value []byte, life time.Duration) error {
		_, err := collection.UpdateOne(ctx, bson.D{{Key: "id", Value: key}}, bson.D{{Key: "$set", Value: bson.D{
			{Key: "id", Value: key}, {Key: "val", Value: value}, {Key: "expiration", Value: time.Now().Add(life)},
		}}}, options.UpdateOne().SetUpsert(true))
		return err
	}
	return &p
}

func flaskRedis(t *testing.T, shared bool) *application {
	t.Helper()
	return pythonRedis(t, python{encode: json.Marshal}).start(t, shared)
}

func flaskRedisSigned(t *testing.T, shared bool) *application {
	t.Helper()
	p := python{encode: json.Marshal, Config: flask.Config{SecretKeys: []string{"secret key of the application"}}}
	return pythonRedis(t, p).start(t, shared)
}

func flaskMemcached(t *testing.T, shared bool) *application {
	t.Helper()
	client := memcache.New(testserver.Shared(t, testserver.Memcached{}).Addr())
	client.Timeout = 5 * time.Second
	p := python{encode: msgpack.Marshal, set: func(_ context.Context, key string, value []byte, life time.Duration) error {
		at := time.Now().Add(life) // More than 30 days are a date.
		return client.Set(&memcache.Item{Key: key, Value: value, Expiration: int32(at.Unix())})
	}}
	p.Records = flask.Memcached{Client: client}
	return p.start(t, shared)
}

func flaskMongoDB(t *testing.T, shared bool) *application {
	t.Helper()
	return pythonMongoDB(t, python{encode: json.Marshal}).start(t, shared)
}

func flaskMongoDBSigned(t *testing.T, shared bool) *application {
	t.Helper()
	p := python{encode: msgpack.Marshal, Config: flask.Config{SecretKeys: []string{"the key from before", "the key of today"}}}
	return pythonMongoDB(t, p).start(t, shared)
}

// fixed are records of a test.
type fixed map[string][]byte

func (f fixed) Get(_ context.Context, key string) ([]byte, error) { return f[key], nil }

func (f fixed) Delete(_ context.Context, key string) error { delete(f, key); return nil }

// TestFlaskCookies has a value that itsdangerous 2.2 has signed, and others.
func TestFlaskCookies(t *testing.T) {
	t.Parallel()
	const (
		sid    = "Xk3vJ2mQpZ0t-nTn8bSg5wq_4hYc7aLrE1dUoFiVxBM"
		signed = sid + ".4YtGiEEtGpzJs4xhMkCpORaBhu4"
		secret = "secret key of the application"
	)
	config := flask.Config{
		Records:    fixed{"session:" + sid: []byte(`{"_permanent":true,"_user_id":12345678}`)},
		SecretKeys: []string{"another key", secret},
	}
	for value, want := range map[string]string{
		signed: "12345678", sid: "", tampered(signed): "", signed + "A": "", "." + sid: "", sid + ".": "",
	} {
		r := request(t, value)
		if old, err := config.Read(r); old.User != want || err != nil {
			t.Errorf("%q signs %q in, %v; want %q", value, old.User, err, want)
		}
	}
	config.SecretKeys = nil
	if old, err := config.Read(request(t, sid)); old.User != "12345678" || old.ID != sid || err != nil {
		t.Errorf("without signatures: %q, %v", old.User, err)
	}
}

// TestFlaskRecords has records that sign nobody in, and must not be an error or a panic.
func TestFlaskRecords(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]string{
		"empty": "", "nobody": `{"_permanent":true}`, "damaged": `{"_user_id":`, "a list": "[1]", "null": `{"_user_id":null}`,
		"pickle": "\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x08_user_id\x94\x8c\x03ann\x94u.",
	} {
		config := flask.Config{Records: fixed{"session:sid": []byte(record)}}
		if old, err := config.Read(request(t, "sid")); old.User != "" || err != nil {
			t.Errorf("%s: signs %q in, %v", name, old.User, err)
		}
	}
}

func TestFlaskExpiredDocument(t *testing.T) {
	t.Parallel()
	p := pythonMongoDB(t, python{})
	if err := p.set(t.Context(), "session:sid", []byte(`{"_user_id":"ann"}`), -time.Minute); err != nil {
		t.Fatal(err)
	}
	if old, err := p.Read(request(t, "sid")); old.User != "" || err != nil {
		t.Errorf("an expired document signs %q in, %v", old.User, err)
	}
}

// TestOldStoreDown makes sure that an outage of the old store is no sign-out.
func TestOldStoreDown(t *testing.T) {
	t.Parallel()
	server := testserver.Shared(t, testserver.Redis{})
	proxy := server.Proxy(t)
	p := pythonRedis(t, python{encode: json.Marshal})
	client := redis.NewClient(&redis.Options{Addr: proxy.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	a := p.start(t, false)
	p.Records = flask.Redis{Client: client}
	b := a.serve(t)
	b.post(b.before + "/login")
	proxy.Drop()
	if status, body := b.send(http.MethodGet, b.after+"/me"); status != http.StatusServiceUnavailable {
		t.Errorf("GET /me = %d %q, want 503", status, body)
	}
	proxy.Heal()
	b.wants(b.after, signedIn)
}

func request(t *testing.T, value string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.Header.Set("Cookie", "session="+value)
	return r
}
