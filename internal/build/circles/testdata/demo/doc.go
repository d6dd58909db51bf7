// Package demo has circles of uses for the tests of the checker.
package demo
