package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/request"
)

// clusterPage is who works in the cloud, and the models, which operators change.
type clusterPage struct{ *Site }

type clusterBody struct {
	live.Cluster
	Kafka  string // why it can't be reached
	Since  time.Time
	Models []live.Model
	Away   string // why the models are not known
	May    bool   // the person may change models
	Acts   []auth.Act
}

func (s clusterPage) show(r *http.Request) (any, error) {
	body := clusterBody{May: auth.Who(r).May(auth.Operator), Acts: s.o.Audit.About("model ", fewRows)}
	var err error
	if body.Models, err = s.o.Models.Get(r.Context()); err != nil {
		body.Away = err.Error()
	}
	if body.Since, err = s.o.Index.Kafka(); err != nil {
		body.Kafka = err.Error()
		return body, nil
	}
	body.Cluster = s.o.Cluster.Get(r.Context())
	return body, nil
}

// changeModel does what the form beside a model asks for; its share is in percent.
func (s clusterPage) changeModel(w http.ResponseWriter, r *http.Request) {
	err := r.ParseForm()
	if err != nil {
		err = fmt.Errorf("%w: %w", request.ErrBad, err)
	}
	asked := live.ModelRequest{Action: r.PostForm.Get("action"), Version: r.PostForm.Get("version"), Reason: r.PostForm.Get("reason")}
	if err == nil && asked.Action == live.Canary {
		var percent float64
		if percent, err = strconv.ParseFloat(r.PostForm.Get("share"), 64); err != nil {
			err = fmt.Errorf("%w: the share %.20q is no number of percent", request.ErrBad, r.PostForm.Get("share"))
		}
		asked.Share = percent / 100
	}
	if err == nil {
		err = s.o.Models.Change(r.Context(), auth.Who(r).Name, request.Name(r, "model"), asked)
	}
	if err != nil {
		s.o.Refuser.Fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/cluster", http.StatusSeeOther)
}
