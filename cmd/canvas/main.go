// Command canvas is everything in one process on one machine: process files, see the demo, run as
// a service with a console, make loads with known truth.
package main

import (
	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
)

// version is set by the build.
var version = "dev"

func main() {
	cli.Main(cli.App("canvas", "images from the lens to the map, on one machine", version,
		processCommand(), detectCommand(), demoCommand(), runCommand(), configCommand(), simulateCommand(), evalCommand()))
}

func simulateCommand() *urfave.Command {
	return &urfave.Command{Name: "simulate", Usage: "simulate loads with known truth", Subcommands: []*urfave.Command{simulateSceneCommand(), simulatePassCommand(), simulateSensorsCommand(), simulateFleetCommand()}}
}
