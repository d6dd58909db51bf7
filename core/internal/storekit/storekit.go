// Package storekit holds the rules that several stores share, so that each rule is written
// once: how a store chooses the version of a record, what it answers when it is asked to save a
// record that has already expired, which keys and sizes it accepts, how it rounds an expiry,
// and how it pages through its records.
package storekit
