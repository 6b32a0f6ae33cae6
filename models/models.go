// Package models carries the manifests of the models that the project knows, so that a bare .onnx
// file is recognised by its sha256. The weights are not here: set-up brings them.
package models

import "embed"

// Manifests holds <name>/model.yaml and <name>/golden.json.
//
//go:embed *
var Manifests embed.FS
