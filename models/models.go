// Package models carries the manifests of the models that the project knows, so that a bare .onnx
// file is recognised by its sha256, and the weights of those that it has trained itself.
package models

import "embed"

// Manifests holds <name>/model.yaml and <name>/golden.json, and of the project's own <name>/1/model.onnx.
//
//go:embed *
var Manifests embed.FS
