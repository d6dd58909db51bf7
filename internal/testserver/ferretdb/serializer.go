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
	headerSize = 16          // Length, request id, response to, operation code.
	maxMessage = 48 << 20    // What MongoDB accepts.
	opMsg      = 2013        // The operation code of every modern message.
	moreToCome = 1 << 1      // The sender of an opMsg with this flag expects no reply.
	patience   = time.Minute // A backend that takes longer is broken; the others must get on.
)

// serializer passes MongoDB's wire protocol on, one message in flight over all connections.
type serializer struct {
	target string
	turn   sync.Mutex
}

// serve accepts until the listener closes, that is, until the process ends.
func (s *serializer) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go s.relay(client)
	}
}

// relay serves one client until either side hangs up.
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
		reply, err := s.exchange(backend, request)
		if err != nil {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// exchange waits for its turn. The reply is read even when the client is gone: only then is the operation over.
func (s *serializer) exchange(backend net.Conn, request []byte) ([]byte, error) {
	if !wantsReply(request) {
		return nil, errors.New("unacknowledged writes are not supported")
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := backend.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := backend.Write(request); err != nil {
		return nil, err
	}
	return readMessage(backend)
}

// wantsReply reports whether the sender of a message waits for an answer.
func wantsReply(m []byte) bool {
	if len(m) < headerSize+4 || binary.LittleEndian.Uint32(m[12:]) != opMsg {
		return true
	}
	return binary.LittleEndian.Uint32(m[headerSize:])&moreToCome == 0
}

// readMessage reads one whole message.
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
