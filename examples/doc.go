// Package examples holds runnable programs; its tests start them and use them, over HTTP and in a browser.
package examples
