// Command canvas-edge is the device's agent: it takes pictures, screens them, runs small networks,
// and sends the best first.
package main

import (
	"cloudcanvas/cmd/internal/cli"
)

// version is set by the build.
var version = "dev"

func main() {
	cli.Main(cli.App("canvas-edge", "take pictures, screen them, and send the best first", version,
		runCommand(), configCommand(), checkCommand(), doctorCommand(), bufferCommand(), modelsCommand(), benchCommand(), topCommand(), enrollCommand()))
}
