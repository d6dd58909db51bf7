// Package examples contains runnable programs. Its tests run them and use them over HTTP and in a
// browser.
package examples
