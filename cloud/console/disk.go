package console

// Disk knows of the disk under the console's own files whether it takes writes. What can't be written
// there meanwhile is read from Kafka again; what somebody wants to do is refused, since it could not be
// noted.
type Disk interface {
	// Blames says whether it was the disk that made a write fail.
	Blames(err error) bool
	// Err says why it takes no writes now.
	Err() error
}

// noDisk is never to blame.
type noDisk struct{}

func (noDisk) Blames(error) bool { return false }
func (noDisk) Err() error        { return nil }
