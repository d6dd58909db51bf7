// Package storekit holds the rules that several stores share, so that each rule is written once: how
// a store chooses the version of a record, and what it answers when it is asked to save a record that
// has already expired.
package storekit
