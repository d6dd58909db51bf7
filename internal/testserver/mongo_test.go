package testserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

// bson encodes a document from names and values that alternate.
func bson(pairs ...any) []byte {
	var body []byte
	for i := 0; i < len(pairs); i += 2 {
		body = appendField(body, pairs[i].(string), pairs[i+1]) //nolint:gosec // Pairs are two by two.
	}
	document := binary.LittleEndian.AppendUint32(nil, uint32(len(body)+5))
	return append(append(document, body...), 0)
}

// appendField knows the types that the commands below need; a slice is an array of one
// document.
func appendField(body []byte, name string, value any) []byte {
	field := func(kind byte) []byte { return append(append(append(body, kind), name...), 0) }
	switch v := value.(type) {
	case int32:
		return binary.LittleEndian.AppendUint32(field(0x10), uint32(v))
	case string:
		return append(append(binary.LittleEndian.AppendUint32(field(0x02), uint32(len(v)+1)), v...), 0)
	case []byte:
		return append(field(0x03), v...)
	case [][]byte:
		return append(field(0x04), bson("0", v[0])...)
	}
	panic("type not supported")
}

// mongoCommand sends a command and returns the document that answers it.
func mongoCommand(ctx context.Context, addr string, command []byte) ([]byte, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	message := append(make([]byte, 21), command...)
	binary.LittleEndian.PutUint32(message, uint32(len(message)))
	binary.LittleEndian.PutUint32(message[12:], 2013)
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	head := make([]byte, 16)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.LittleEndian.Uint32(head)-16)
	if _, err = io.ReadFull(conn, body); err == nil && !bytes.Contains(body, []byte("\x01ok\x00\x00\x00\x00\x00\x00\x00\xf0\x3f")) {
		err = errors.New(string(body))
	}
	return body, err
}

// Without the serializer before FerretDB, most rounds have several winners.
func TestMongoConditionalUpdateHasOneWinner(t *testing.T) {
	t.Parallel()
	s := Shared(t, Mongo{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	database := Name()
	for round := range int32(10) {
		insert := bson("insert", "c", "documents", [][]byte{bson("_id", round, "v", int32(1))}, "$db", database)
		if _, err := mongoCommand(ctx, s.Addr(), insert); err != nil {
			t.Fatal(err)
		}
		change := bson("q", bson("_id", round, "v", int32(1)), "u", bson("$set", bson("v", int32(2))))
		update := bson("update", "c", "updates", [][]byte{change}, "$db", database)
		if winners := race(t, func() bool {
			reply, err := mongoCommand(ctx, s.Addr(), update)
			if err != nil {
				t.Error(err)
			}
			return bytes.Contains(reply, []byte("\x10nModified\x00\x01\x00\x00\x00"))
		}); winners != 1 {
			t.Errorf("round %d: %d winners", round, winners)
		}
	}
}

// race runs f 16 times at once and returns how many times it won.
func race(t *testing.T, f func() bool) int {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	winners := 0
	for range 16 {
		all.Go(func() {
			won := f()
			mu.Lock()
			defer mu.Unlock()
			if won {
				winners++
			}
		})
	}
	all.Wait()
	return winners
}
