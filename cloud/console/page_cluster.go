package console

import (
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/request"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

type clusterBody struct {
	live.Cluster
	Kafka  string // why it can't be reached
	Since  time.Time
	Models []live.Model
	Away   string // why the models are not known
	May    bool   // the person may change models
	Acts   []auth.Act
}

func (k *Console) clusterPage(r *http.Request) (any, error) {
	body := clusterBody{May: auth.Who(r).May(auth.Operator), Acts: k.audit.About("model ", fewRows)}
	var err error
	if body.Models, err = k.models.Get(r.Context()); err != nil {
		body.Away = err.Error()
	}
	if body.Since, err = k.index.Kafka(); err != nil {
		body.Kafka = err.Error()
		return body, nil
	}
	body.Cluster = k.cluster.Get(r.Context())
	return body, nil
}

// changeModel does what the form beside a model asks for; its share is in percent.
func (k *Console) changeModel(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err != nil {
		err = fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	wish := live.ModelRequest{Action: r.PostForm.Get("action"), Version: r.PostForm.Get("version"), Reason: r.PostForm.Get("reason")}
	if err == nil && wish.Action == live.Canary {
		var percent float64
		if percent, err = strconv.ParseFloat(r.PostForm.Get("share"), 64); err != nil {
			err = fmt.Errorf("%w: the share %.20q is no number of percent", request.ErrBad, r.PostForm.Get("share"))
		}
		wish.Share = percent / 100
	}
	if err == nil {
		err = k.models.Change(r.Context(), auth.Who(r).Name, request.Name(r, "model"), wish)
	}
	if err != nil {
		k.refuser.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/cluster", http.StatusSeeOther)
}

func (k *Console) apiModels(r *http.Request) (any, error) {
	all, err := k.models.Get(r.Context())
	return list[live.Model]{Items: all}, err
}

func (k *Console) apiModel(r *http.Request) (any, error) {
	return k.models.Find(r.Context(), request.Name(r, "model"))
}

func (k *Console) apiChangeModel(r *http.Request) (any, error) {
	var wish live.ModelRequest
	if err := json.NewDecoder(r.Body).Decode(&wish); err != nil {
		return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
	}
	if err := k.models.Change(r.Context(), auth.Who(r).Name, request.Name(r, "model"), wish); err != nil {
		return nil, err
	}
	return k.apiModel(r)
}
