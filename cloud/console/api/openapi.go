package api

import (
	"net/http"
	"reflect"
	"strings"
	"time"

	"cloudcanvas/cloud/console/decisions"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/request"
)

// openAPI serves the API's description: OpenAPI 3.1, made of the endpoints and of the Go types that
// they answer with.
func (a *API) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", OpenAPIMedia)
	request.JSON(w, http.StatusOK, a.describe())
}

// OpenAPIMedia is the media type of the API's description.
const OpenAPIMedia = "application/vnd.oai.openapi+json;version=3.1"

type object = map[string]any

func (a *API) describe() object {
	schemas := object{}
	paths := map[string]object{}
	for _, e := range a.endpoints() {
		if paths[e.Path] == nil {
			paths[e.Path] = object{}
		}
		paths[e.Path][strings.ToLower(e.Method)] = operation(e, schemas)
	}
	for _, raw := range []struct{ path, summary, media string }{
		{"/api/v1/stream", "Server-sent events: `change` for each notice, `reset` where too many were missed; Last-Event-ID resumes", "text/event-stream"},
		{"/api/v1/tiles/{edge}/{scene}/{z}/{x}/{y}", "A scene's mask as a web map's tile of 256 pixels; y ends in .png", "image/png"},
		{"/pictures/scenes/{edge}/{scene}", "A scene's quicklook", "image/jpeg"},
		{"/pictures/masks/{edge}/{scene}", "A scene's mask, transparent where it is clear", "image/png"},
		{"/pictures/cameras/{edge}/{camera}", "A camera's latest frame", "image/jpeg"},
		{"/pictures/events/{number}", "An event's snapshot", "image/jpeg"},
		{"/files/scenes/{edge}/{scene}/{file}", "A file of a scene's product", "application/octet-stream"},
		{"/files/cameras/{edge}/{camera}/{file}", "A file of a camera's record", "application/octet-stream"},
	} {
		paths[raw.path] = object{"get": object{"summary": raw.summary, "operationId": operationID("get", raw.path), "parameters": pathParameters(raw.path),
			"responses": object{"200": object{"description": "as asked", "content": object{raw.media: object{}}}, "default": failure}}}
	}
	schemas["Problem"] = schemaOf(reflect.TypeFor[request.Problem](), schemas)
	return object{
		"openapi":    "3.1.0",
		"info":       object{"title": "Cloud Canvas", "version": "1", "description": "What the console shows, for programs. Times are UTC, RFC 3339. Names in paths are percent-encoded."},
		"paths":      paths,
		"components": object{"schemas": schemas, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
		"security":   []any{object{}, object{"token": []string{}}},
	}
}

var failure = object{"description": "why there is no answer (RFC 9457)", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}}

func operation(e endpoint, schemas object) object {
	parameters := pathParameters(e.Path)
	for _, q := range e.Query {
		schema := object{"type": q.Kind}
		if q.Format != "" {
			schema["format"] = q.Format
		}
		parameters = append(parameters, object{"name": q.Name, "in": "query", "description": q.Text, "schema": schema})
	}
	o := object{"summary": e.Summary, "operationId": operationID(e.Method, e.Path), "parameters": parameters, "responses": object{
		"200": object{"description": "as asked", "content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(e.Answer), schemas)}}}, "default": failure}}
	if e.Body != nil {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(e.Body), schemas)}}}
	}
	return o
}

func pathParameters(path string) []any {
	all := []any{}
	for part := range strings.SplitSeq(path, "/") {
		if key, ok := strings.CutPrefix(part, "{"); ok {
			all = append(all, object{"name": strings.TrimSuffix(key, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	return all
}

// operationID is a name for generated clients: getScenesEdgeScene.
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for part := range strings.FieldsFuncSeq(strings.TrimPrefix(path, "/api/v1"), func(r rune) bool { return r == '/' || r == '{' || r == '}' }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

// schemaOf describes a Go type as encoding/json writes it. Named structs become components.
func schemaOf(t reflect.Type, schemas object) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return object{"oneOf": []any{schemaOf(t.Elem(), schemas), object{"type": "null"}}}
	case t.Kind() == reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": schemaOf(t.Elem(), schemas)}
	case t.Kind() == reflect.Array:
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas), "minItems": t.Len(), "maxItems": t.Len()}
	case t.Kind() == reflect.Map:
		return object{"type": []string{"object", "null"}, "additionalProperties": schemaOf(t.Elem(), schemas)}
	case t.Kind() == reflect.Struct:
		return structSchema(t, schemas)
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return object{"type": "number"}
	}
	return object{"type": "integer"}
}

// schemaNames are those of types that were called otherwise in the first version of the API: programs are
// generated from them.
var schemaNames = map[reflect.Type]string{
	reflect.TypeFor[decisions.DeadLetter](): "Letter", reflect.TypeFor[decisions.Source](): "LetterSource", reflect.TypeFor[decisions.BlockRequest](): "BlockWish",
	reflect.TypeFor[live.ModelRequest](): "ModelWish",
}

func structSchema(t reflect.Type, schemas object) object {
	component := t.Name() != "" && !strings.ContainsRune(t.Name(), '[') // an instance of list has no plain name
	name := ""
	if component {
		name = strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if before, ok := schemaNames[t]; ok {
			name = before
		}
		if _, known := schemas[name]; known {
			return object{"$ref": "#/components/schemas/" + name}
		}
		schemas[name] = object{} // while it is made: types may contain themselves
	}
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) { // with those of embedded structs, as encoding/json has it
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || key == "-" || key == "" {
			continue
		}
		properties[key] = schemaOf(f.Type, schemas)
		if !strings.Contains(options, "omit") {
			required = append(required, key)
		}
	}
	schema := object{"type": "object", "properties": properties, "required": required}
	if !component {
		return schema
	}
	schemas[name] = schema
	return object{"$ref": "#/components/schemas/" + name}
}
