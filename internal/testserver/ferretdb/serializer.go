package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	headerSize   = 16          // length, request id, response to, operation code
	maxMessage   = 48 << 20    // as in MongoDB
	opMsg        = 2013        // the operation code of all messages of current clients
	moreToCome   = 1 << 1      // a flag of an opMsg whose sender expects no reply
	replyTimeout = time.Minute // after which other clients may go on
)

// serializer is a proxy for MongoDB's wire protocol that forwards one message at a time over
// all connections.
type serializer struct {
	target string
	turn   sync.Mutex
}

// serve accepts connections until the listener is closed.
func (s *serializer) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go s.relay(client)
	}
}

// relay serves one client until either side closes its connection.
func (s *serializer) relay(client net.Conn) {
	defer client.Close()
	var d net.Dialer
	backend, err := d.DialContext(context.Background(), "unix", s.target)
	if err != nil {
		return
	}
	defer backend.Close()
	for {
		request, err := readMessage(client)
		if err != nil {
			return
		}
		reply, err := s.roundTrip(backend, request)
		if err != nil {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// roundTrip waits for its turn, forwards a request and reads the reply. It reads the reply
// even if the client is gone, since the operation is only then over.
func (s *serializer) roundTrip(backend net.Conn, request []byte) ([]byte, error) {
	if !wantsReply(request) {
		return nil, errors.New("unacknowledged writes are not supported")
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := backend.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return nil, err
	}
	if _, err := backend.Write(request); err != nil {
		return nil, err
	}
	return readMessage(backend)
}

// wantsReply reports whether the sender of a message expects a reply.
func wantsReply(m []byte) bool {
	if len(m) < headerSize+4 || binary.LittleEndian.Uint32(m[12:]) != opMsg {
		return true
	}
	return binary.LittleEndian.Uint32(m[headerSize:])&moreToCome == 0
}

// readMessage reads one message.
func readMessage(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(length[:])
	if n < headerSize || n > maxMessage {
		return nil, fmt.Errorf("message of %d bytes", n)
	}
	m := make([]byte, n)
	copy(m, length[:])
	_, err := io.ReadFull(r, m[len(length):])
	return m, err
}
