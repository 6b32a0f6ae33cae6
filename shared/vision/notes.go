package vision

// Notes are what a person should know of how a picture was read.
type Notes struct {
	Assumed string // a guess that its pixels rest on; empty: none
	Left    string // what of the file was not taken; empty: nothing
}
