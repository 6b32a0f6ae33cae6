// Command canvas is everything in one process on one machine: process files, see the demo, run as
// a service with a console, make loads with known truth.
package main

import (
	"cloudcanvas/cmd/internal/cli"
)

// version is set by the build.
var version = "dev"

func main() {
	cli.Main(cli.App("canvas", "images from the lens to the map, on one machine", version,
		processCommand(), detectCommand(), demoCommand(), runCommand(), configCommand(), simulateCommand(), evalCommand()))
}
