package web

import (
	"fmt"
	"net/http"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
)

// choiceBody is what an address without an edge leads to where several edges have the name.
type choiceBody struct {
	Name    string
	What    string // scene or camera
	Choices []choice
}

// maxChoices bounds the edges to choose from.
const maxChoices = 1000

type choice struct{ Edge, Path string }

// named answers /scenes/NAME, which people write by hand: the scene's page where one edge has one
// of that name, else the edges to choose from.
func (s scenePages) named(w http.ResponseWriter, r *http.Request) {
	id := request.Name(r, "scene")
	scenes, err := s.o.Index.Scenes.Find(r.Context(), index.SceneQuery{IDs: []string{id}, Limit: maxChoices})
	body := choiceBody{Name: id, What: "scene"}
	for _, s := range scenes {
		body.Choices = append(body.Choices, choice{s.Edge, request.ScenePath(s.Edge, s.ID)})
	}
	s.lead(w, r, body, err)
}

// named answers /cameras/NAME in the same way.
func (s cameraPages) named(w http.ResponseWriter, r *http.Request) {
	body := choiceBody{Name: request.Name(r, "camera"), What: "camera"}
	edges, err := s.o.Index.Cameras.Of(r.Context(), body.Name, maxChoices)
	for _, edge := range edges {
		body.Choices = append(body.Choices, choice{edge, request.CameraPath(edge, body.Name)})
	}
	s.lead(w, r, body, err)
}

func (s *Site) lead(w http.ResponseWriter, r *http.Request, body choiceBody, err error) {
	switch {
	case err != nil:
		s.o.Refuser.Fail(w, r, err)
	case len(body.Choices) == 0:
		s.o.Refuser.Fail(w, r, fmt.Errorf("%s %.80q is %w", body.What, body.Name, index.ErrUnknown))
	case len(body.Choices) == 1:
		http.Redirect(w, r, body.Choices[0].Path, http.StatusFound)
	default:
		s.Show(w, r, http.StatusMultipleChoices, "choice", body)
	}
}
