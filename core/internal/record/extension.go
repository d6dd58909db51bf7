package record

import "encoding/binary"

// Extensions are fields that later releases have added to the identity of a record: for each a
// tag and its bytes. A release that does not know a field with an even tag keeps it as it is when
// it saves the record. It must not use a record with a field of an odd tag that it does not know,
// nor change it: reading it fails with ErrFormat. This release knows none.
type Extensions []byte

func (e Extensions) check() error {
	r := reader{data: e}
	critical := false
	for !r.failed && r.at < len(e) {
		tag := r.uvarint()
		r.bytes()
		critical = critical || tag&1 == 1
	}
	switch {
	case r.failed || len(e) == 0:
		return ErrDamaged
	case critical:
		return ErrFormat
	}
	return nil
}

// AppendExtension appends a field. It is for tests, which stand for later releases.
func (e Extensions) AppendExtension(tag uint64, field []byte) Extensions {
	return appendBytes(binary.AppendUvarint(e, tag), field)
}
