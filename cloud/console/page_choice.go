package console

import (
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
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
	id := request.Name(r, "scene")
	scenes, err := k.index.Scenes.Find(r.Context(), index.SceneQuery{IDs: []string{id}, Limit: maxEdgesShown})
	body := choiceBody{Name: id, What: "scene"}
	for _, s := range scenes {
		body.Choices = append(body.Choices, choice{s.Edge, request.ScenePath(s.Edge, s.ID)})
	}
	k.lead(w, r, body, err)
}

// cameraNamed answers /cameras/NAME in the same way.
func (k *Console) cameraNamed(w http.ResponseWriter, r *http.Request) {
	body := choiceBody{Name: request.Name(r, "camera"), What: "camera"}
	edges, err := k.index.Cameras.Of(r.Context(), body.Name, maxEdgesShown)
	for _, edge := range edges {
		body.Choices = append(body.Choices, choice{edge, request.CameraPath(edge, body.Name)})
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

func (k *Console) lead(w http.ResponseWriter, r *http.Request, body choiceBody, err error) {
	switch {
	case err != nil:
		k.refuser.Fail(w, r, err)
	case len(body.Choices) == 0:
		k.refuser.Fail(w, r, fmt.Errorf("%s %.80q is %w", body.What, body.Name, index.ErrUnknown))
	case len(body.Choices) == 1:
		http.Redirect(w, r, body.Choices[0].Path, http.StatusFound)
	default:
		k.show(w, r, http.StatusMultipleChoices, "choice", body)
	}
}
