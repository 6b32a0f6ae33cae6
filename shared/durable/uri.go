package durable

import "strings"

// uriEscapes are what means something in a file: URI besides '/', which stays.
var uriEscapes = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// SQLiteURI is a database file as SQLite's file: URI, to which parameters may be added behind a '?':
// whatever stands in the path names the file, and nothing else.
func SQLiteURI(path string) string { return "file:" + uriEscapes.Replace(path) }
