package tests_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// replicaSet makes a driver believe that it talks to a replica set of a primary and a secondary, while one server does all
// the work. With that the driver chooses members, sends concerns and repeats writes as it does for a real one; only what
// the members do among themselves cannot be had this way.
type replicaSet struct {
	target  string
	members [2]net.Listener // the primary first
	links   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	seen  []command
	fault func(c command, do func() []byte) []byte // for the next write; returns the reply, nil to hang up
	index []bson.D                                 // what the collection's indexes are said to be; nil: what they are
}

// command is a command that a member was sent.
type command struct {
	name      string
	secondary bool
	message   []byte
	body      bson.Raw
}

// The operation codes of the wire protocol: the first hello comes as a query, all else as messages.
const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

func newReplicaSet(tb testing.TB) *replicaSet {
	tb.Helper()
	server := testserver.Shared(tb, testserver.Mongo{})
	if server.External() {
		tb.Skip("a real MongoDB needs no pretence, and takes none")
	}
	r := &replicaSet{target: server.Addr(), conns: make(map[net.Conn]bool)}
	for i := range r.members {
		var lc net.ListenConfig
		l, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		r.members[i] = l
		r.links.Go(func() { r.accept(l, i == 1) })
	}
	tb.Cleanup(r.close)
	return r
}

func (r *replicaSet) url() string {
	return "mongodb://" + r.members[0].Addr().String() + "," + r.members[1].Addr().String() + "/?replicaSet=pretended"
}

func (r *replicaSet) close() {
	for _, l := range r.members {
		_ = l.Close()
	}
	r.mu.Lock()
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.links.Wait()
}

func (r *replicaSet) accept(l net.Listener, secondary bool) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		r.links.Go(func() { r.serve(client, secondary) })
	}
}

// serve answers one client until either side hangs up.
func (r *replicaSet) serve(client net.Conn, secondary bool) {
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.target)
	if err != nil {
		_ = client.Close()
		return
	}
	r.mu.Lock()
	r.conns[client], r.conns[server] = true, true
	r.mu.Unlock()
	defer func() { _, _ = client.Close(), server.Close() }()
	for {
		message, err := readMessage(client)
		if err != nil {
			return
		}
		reply := r.answer(message, server, secondary)
		if reply == nil {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// readMessage reads a whole message; its head is four numbers, the first of them the length.
func readMessage(from io.Reader) ([]byte, error) {
	message := make([]byte, 16)
	if _, err := io.ReadFull(from, message); err != nil {
		return nil, err
	}
	body := make([]byte, binary.LittleEndian.Uint32(message)-16)
	_, err := io.ReadFull(from, body)
	return append(message, body...), err
}

// answer returns the reply to a message, nil if there is none.
func (r *replicaSet) answer(message []byte, server net.Conn, secondary bool) []byte {
	c := command{secondary: secondary, message: message, body: document(message)}
	if elements, err := c.body.Elements(); err == nil && len(elements) > 0 {
		c.name = elements[0].Key()
	}
	do := func() []byte {
		if _, err := server.Write(message); err != nil {
			return nil
		}
		reply, err := readMessage(server)
		if err != nil {
			return nil
		}
		return reply
	}
	switch c.name {
	case "hello", "isMaster", "ismaster":
		return response(message, r.hello(secondary))
	case "ping", "endSessions":
		return do()
	}
	r.mu.Lock()
	r.seen = append(r.seen, c)
	fault, index := r.fault, r.index
	if writes(c.name) {
		r.fault = nil
	}
	r.mu.Unlock()
	if fault != nil && writes(c.name) {
		return fault(c, do)
	}
	if index != nil && c.name == "listIndexes" {
		cursor := bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "pretended.sessions"}, {Key: "firstBatch", Value: index}}
		return response(message, bson.D{{Key: "cursor", Value: cursor}, {Key: "ok", Value: float64(1)}})
	}
	return do()
}

func writes(name string) bool { return name == "insert" || name == "update" || name == "delete" }

// hello is what a member says about itself and the others.
func (r *replicaSet) hello(secondary bool) bson.D {
	primary, other := r.members[0].Addr().String(), r.members[1].Addr().String()
	me := primary
	if secondary {
		me = other
	}
	return bson.D{
		{Key: "helloOk", Value: true},
		{Key: "ismaster", Value: !secondary},
		{Key: "isWritablePrimary", Value: !secondary},
		{Key: "secondary", Value: secondary},
		{Key: "setName", Value: "pretended"},
		{Key: "hosts", Value: bson.A{primary, other}},
		{Key: "primary", Value: primary},
		{Key: "me", Value: me},
		{Key: "maxBsonObjectSize", Value: int32(16 << 20)},
		{Key: "maxMessageSizeBytes", Value: int32(48000000)},
		{Key: "maxWriteBatchSize", Value: int32(100000)},
		{Key: "logicalSessionTimeoutMinutes", Value: int32(30)},
		{Key: "minWireVersion", Value: int32(0)},
		{Key: "maxWireVersion", Value: int32(21)},
		{Key: "ok", Value: float64(1)},
	}
}

// document returns the command in a message.
func document(message []byte) bson.Raw {
	at := 16 + 4 + 1 // after the flags and the kind of the first section
	if binary.LittleEndian.Uint32(message[12:]) == opQuery {
		at = 16 + 4
		for message[at] != 0 {
			at++
		}
		at += 1 + 4 + 4
	}
	return bson.Raw(message[at : at+int(binary.LittleEndian.Uint32(message[at:]))])
}

// response makes a message that answers another.
func response(to []byte, doc bson.D) []byte {
	body, err := bson.Marshal(doc)
	if err != nil {
		panic(err)
	}
	code, head := uint32(opMsg), make([]byte, 5)
	if binary.LittleEndian.Uint32(to[12:]) == opQuery {
		code, head = opReply, make([]byte, 20)
		head[16] = 1 // document
	}
	message := make([]byte, 16, 16+len(head)+len(body))
	message = append(append(message, head...), body...)
	binary.LittleEndian.PutUint32(message, uint32(len(message)))
	copy(message[8:12], to[4:8])
	binary.LittleEndian.PutUint32(message[12:], code)
	return message
}

// breakNext gives the next write a fault.
func (r *replicaSet) breakNext(fault func(c command, do func() []byte) []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = fault
}

// pretendIndexes has the members say that the collection has these indexes.
func (r *replicaSet) pretendIndexes(indexes ...bson.D) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index = indexes
}

// commands returns what the members have been sent since the last call.
func (r *replicaSet) commands() []command {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

// open returns a store on a new collection of the replica set, by a client with these options.
func (r *replicaSet) open(tb testing.TB, client *options.ClientOptions, o mongostore.Options) (*mongostore.Store, *mongo.Collection) {
	tb.Helper()
	collection := connect(tb, client.ApplyURI(r.url())).Database(testserver.Name()).Collection("sessions")
	return newStore(tb, collection, o), collection
}
