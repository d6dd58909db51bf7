// Package migrate is the folder of the bridges in docs/migrating.md, with which programs move from
// another session library without signing anybody out. The tests run each beside that library.
package migrate
