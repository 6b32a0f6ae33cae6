package console

import (
	"context"
	"fmt"
	"net/http"
)

// choiceBody is what an address without an edge leads to where several edges have the name.
type choiceBody struct {
	Name    string
	What    string // scene or camera
	Choices []choice
}

type choice struct{ Edge, Path string }

// sceneNamed answers /scenes/NAME, which people write by hand: the scene's page where one edge has one
// of that name, else the edges to choose from.
func (k *Console) sceneNamed(w http.ResponseWriter, r *http.Request) {
	id := name(r, "scene")
	scenes, err := k.index.scenes(r.Context(), sceneQuery{ids: []string{id}, limit: maxEdgesShown})
	body := choiceBody{Name: id, What: "scene"}
	for _, s := range scenes {
		body.Choices = append(body.Choices, choice{s.Edge, s.Path()})
	}
	k.lead(w, r, body, err)
}

// cameraNamed answers /cameras/NAME in the same way.
func (k *Console) cameraNamed(w http.ResponseWriter, r *http.Request) {
	body := choiceBody{Name: name(r, "camera"), What: "camera"}
	edges, err := k.index.names(r.Context(), "SELECT edge FROM cameras WHERE name = ? ORDER BY edge LIMIT ?", body.Name, maxEdgesShown)
	for _, edge := range edges {
		body.Choices = append(body.Choices, choice{edge, Camera{Edge: edge, Name: body.Name}.Path()})
	}
	k.lead(w, r, body, err)
}

// called is how a thing of an edge is named to people: with its edge where others have the name too.
func called(several map[string]bool, edge, name string) string {
	if several[name] {
		return edge + "/" + name
	}
	return name
}

// severals are the names that more than one edge has, of cameras and sensors.
func (x *index) severals(ctx context.Context) (map[string]bool, error) {
	names, err := x.names(ctx, `SELECT name FROM (SELECT edge, name FROM cameras UNION SELECT edge, name FROM sensors)
		GROUP BY name HAVING count(*) > 1 LIMIT ?`, maxRows)
	several := map[string]bool{}
	for _, name := range names {
		several[name] = true
	}
	return several, err
}

func (k *Console) lead(w http.ResponseWriter, r *http.Request, body choiceBody, err error) {
	switch {
	case err != nil:
		k.fail(w, r, err)
	case len(body.Choices) == 0:
		k.fail(w, r, fmt.Errorf("%s %.80q is %w", body.What, body.Name, errUnknown))
	case len(body.Choices) == 1:
		http.Redirect(w, r, body.Choices[0].Path, http.StatusFound)
	default:
		k.show(w, r, http.StatusMultipleChoices, "choice", body)
	}
}
