// Package soak tells tests whether the long forms are asked for, and whether limits on the clock hold.
package soak

import "os"

// Asked says that the long forms run: `make soak` sets CANVAS_SOAK.
func Asked() bool { return os.Getenv("CANVAS_SOAK") != "" }

// Timed says that a limit on the clock may fail a test. A short form runs beside others on whatever
// machine there is, and the race detector costs several times what the product does: there a limit would
// judge the machine.
func Timed() bool { return Asked() && !raceDetector }
