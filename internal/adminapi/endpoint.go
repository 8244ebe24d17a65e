package adminapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"milepost/internal/people"
)

// endpoint describes one.
type endpoint struct {
	id, path, tag  string
	summary, about string
	operators      bool // viewers have no access, not even to read
}

// get registers an endpoint that reads.
func get[I, O any](a *API, e endpoint, do func(context.Context, *I) (O, error)) {
	register(a, http.MethodGet, e, do)
}

// post registers an endpoint that changes something, or costs calls of a location's
// quota, and answers with what came of it.
func post[I, O any](a *API, method string, e endpoint, do func(context.Context, *I) (O, error)) {
	e.operators = true
	register(a, method, e, do)
}

// act registers an endpoint that changes something, and has nothing to say.
func act[I any](a *API, method string, e endpoint, do func(context.Context, *I) error) {
	e.operators = true
	a.handle(method, e, reflect.TypeFor[I](), nil, func(ctx context.Context, in any) (any, error) { return nil, do(ctx, in.(*I)) })
}

func register[I, O any](a *API, method string, e endpoint, do func(context.Context, *I) (O, error)) {
	a.handle(method, e, reflect.TypeFor[I](), reflect.TypeFor[O](), func(ctx context.Context, in any) (any, error) { return do(ctx, in.(*I)) })
}

// file is an answer that is YAML.
type file []byte

const yamlType, jsonType = "application/yaml", "application/json"

const (
	maxBody  = 1 << 20 // bytes of a request's body
	bodyTime = 5 * time.Second
)

// request is what an endpoint takes, as huma's tags say it.
type request struct {
	params []param
	body   reflect.StructField // without a name, there is none
	schema *huma.Schema        // of the body, if that is JSON
}

type param struct {
	*huma.Param
	index    []int
	fallback string
}

// handle registers an endpoint. It does by reflection what huma.Register does by type
// parameters: of that, the compiler makes 30 KiB of code for each endpoint.
func (a *API) handle(method string, e endpoint, in, out reflect.Type, do func(context.Context, any) (any, error)) {
	op := &huma.Operation{OperationID: e.id, Method: method, Path: e.path, Summary: e.summary, Description: e.about, Tags: []string{e.tag}}
	takes := a.takes(op, in)
	op.DefaultStatus = a.answers(op, out)
	a.huma.OpenAPI().AddOperation(op)
	a.huma.Adapter().Handle(op, func(ctx huma.Context) {
		input := reflect.New(in)
		if problem := a.read(ctx, takes, input); problem != nil {
			fail(ctx, problem)
			return
		}
		answer, err := any(nil), allowed(ctx.Context(), e.operators)
		if err == nil {
			answer, err = do(ctx.Context(), input.Interface())
		}
		if err != nil {
			fail(ctx, a.problem(ctx.Context(), e.id, err))
			return
		}
		switch answer := answer.(type) {
		case nil:
			ctx.SetStatus(op.DefaultStatus)
		case file:
			ctx.SetHeader("Content-Type", yamlType)
			ctx.SetStatus(op.DefaultStatus)
			_, _ = ctx.BodyWriter().Write(answer) // the client is gone if this fails
		default:
			write(ctx, op.DefaultStatus, jsonType, answer)
		}
	})
}

// takes describes what an endpoint takes.
func (a *API) takes(op *huma.Operation, in reflect.Type) request {
	var takes request
	schemas := a.huma.OpenAPI().Components.Schemas
	for _, f := range reflect.VisibleFields(in) {
		switch f.Name {
		case "Body":
			takes.body, takes.schema = f, huma.SchemaFromField(schemas, f, name(in, "Body", op.OperationID+"Request"))
			takes.schema.PrecomputeMessages()
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{jsonType: {Schema: takes.schema}}}
			continue
		case "RawBody":
			takes.body = f
			op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{yamlType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
			continue
		}
		for _, place := range []string{"path", "query", "header"} {
			if f.Tag.Get(place) == "" {
				continue
			}
			schema := huma.SchemaFromField(schemas, f, "")
			p := &huma.Param{Name: f.Tag.Get(place), In: place, Description: schema.Description, Schema: schema, Required: place == "path" || f.Tag.Get("required") == "true"}
			if place == "query" {
				p.Explode = new(bool)
			}
			op.Parameters = append(op.Parameters, p)
			takes.params = append(takes.params, param{p, f.Index, f.Tag.Get("default")})
		}
	}
	return takes
}

// answers describes the answers of an endpoint, and returns the status of the good one.
func (a *API) answers(op *huma.Operation, out reflect.Type) int {
	status, good := http.StatusOK, &huma.Response{}
	schemas := a.huma.OpenAPI().Components.Schemas
	switch out {
	case nil:
		status = http.StatusNoContent
	case reflect.TypeFor[file]():
		good.Content = map[string]*huma.MediaType{yamlType: {Schema: &huma.Schema{Type: huma.TypeString}}}
	default:
		good.Content = map[string]*huma.MediaType{jsonType: {Schema: schemas.Schema(out, true, op.OperationID+"Response")}}
	}
	good.Description = http.StatusText(status)
	op.Responses = map[string]*huma.Response{
		strconv.Itoa(status): good,
		"default": {Description: "Error", Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemas.Schema(reflect.TypeFor[huma.ErrorModel](), true, "Error")},
		}},
	}
	return status
}

// name is what a schema is called.
func name(parent reflect.Type, field, otherwise string) string {
	if parent.Name() != "" {
		return parent.Name() + field
	}
	return otherwise
}

// read reads a request into input, which points to a struct, and says what is wrong
// with it.
func (a *API) read(ctx huma.Context, takes request, input reflect.Value) error {
	place, wrong := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	at := func(in, name string) *huma.PathBuffer {
		place.Reset()
		place.Push(in)
		place.Push(name)
		return place
	}
	status := http.StatusUnprocessableEntity
	u := ctx.URL()
	query := u.Query()
	for _, p := range takes.params {
		if p.In == "query" {
			delete(query, p.Name)
		}
	}
	for unknown := range query {
		wrong.Add(at("query", unknown), "", "unknown query parameter")
	}
	if len(wrong.Errors) > 0 {
		return huma.NewError(status, "validation failed", wrong.Errors...)
	}
	for _, p := range takes.params {
		value, err := p.read(ctx, input.Elem().FieldByIndex(p.index))
		switch {
		case err != nil:
			wrong.Add(at(p.In, p.Name), "", err.Error())
		case value != nil:
			huma.Validate(a.huma.OpenAPI().Components.Schemas, p.Schema, at(p.In, p.Name), huma.ModeWriteToServer, value, wrong)
		}
	}
	if takes.body.Name != "" {
		body, problem := readBody(ctx)
		if problem != nil {
			return problem
		}
		field := input.Elem().FieldByIndex(takes.body.Index)
		if takes.schema == nil {
			field.SetBytes(body)
		} else if s := a.readJSON(ctx, takes.schema, body, field, wrong); s != 0 {
			status = s
		}
	}
	if r, ok := input.Interface().(huma.Resolver); ok {
		wrong.Errors = append(wrong.Errors, r.Resolve(ctx)...)
	}
	if len(wrong.Errors) > 0 {
		return huma.NewError(status, "validation failed", wrong.Errors...)
	}
	return nil
}

// read reads the parameter of a request into its field, and returns the value to
// validate: nil if there is none.
func (p param) read(ctx huma.Context, field reflect.Value) (any, error) {
	var text string
	switch p.In {
	case "path":
		text = ctx.Param(p.Name)
	case "query":
		text = ctx.Query(p.Name)
	case "header":
		text = ctx.Header(p.Name)
	}
	switch {
	case text == "" && p.fallback != "":
		text = p.fallback
	case text == "" && p.Required:
		return nil, fmt.Errorf("required %s parameter is missing", p.In)
	case text == "":
		return nil, nil
	}
	return parse(field, text)
}

// parse reads a text into a field.
func parse(field reflect.Value, text string) (any, error) {
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
		return text, nil
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errors.New("invalid integer")
		}
		field.SetInt(n)
		return n, nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, errors.New("invalid boolean")
		}
		field.SetBool(b)
		return b, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, errors.New("invalid date/time for format " + time.RFC3339Nano)
	}
	field.Set(reflect.ValueOf(t))
	return text, nil
}

func readBody(ctx huma.Context) ([]byte, error) {
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTime)) // a recorder in a test has none
	body, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), maxBody))
	var late net.Error
	switch {
	case len(body) == maxBody:
		return nil, huma.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("request body is too large limit=%d bytes", maxBody))
	case errors.As(err, &late) && late.Timeout():
		return nil, huma.NewError(http.StatusRequestTimeout, "request body read timeout")
	case err != nil:
		return nil, huma.NewError(http.StatusInternalServerError, "cannot read request body", err)
	case len(body) == 0:
		return nil, huma.Error400BadRequest("request body is required")
	}
	return body, nil
}

// readJSON validates a body and reads it into its field. It returns the status that what
// is wrong asks for, or 0.
func (a *API) readJSON(ctx huma.Context, schema *huma.Schema, body []byte, field reflect.Value, wrong *huma.ValidateResult) int {
	bad := func(err error) {
		wrong.Errors = append(wrong.Errors, &huma.ErrorDetail{Location: "body", Message: err.Error()})
	}
	contentType := ctx.Header("Content-Type")
	if contentType == "" {
		contentType = jsonType
	}
	var parsed any
	if err := a.huma.Unmarshal(contentType, body, &parsed); err != nil {
		bad(err)
		if errors.Is(err, huma.ErrUnknownContentType) {
			return http.StatusUnsupportedMediaType
		}
		return http.StatusBadRequest
	}
	place, before := huma.NewPathBuffer(nil, 0), len(wrong.Errors)
	place.Push("body")
	huma.Validate(a.huma.OpenAPI().Components.Schemas, schema, place, huma.ModeWriteToServer, parsed, wrong)
	if len(wrong.Errors) == before {
		if err := a.huma.Unmarshal(contentType, body, field.Addr().Interface()); err != nil {
			bad(err)
		}
	}
	return 0
}

// fail answers with a problem. It does not repeat what was sent: that may be a password.
func fail(ctx huma.Context, err error) {
	problem, ok := errors.AsType[*huma.ErrorModel](err)
	if !ok { // a.problem makes no others
		problem = &huma.ErrorModel{Status: http.StatusInternalServerError, Title: http.StatusText(http.StatusInternalServerError)}
	}
	for _, e := range problem.Errors {
		e.Value = nil
	}
	write(ctx, problem.Status, "application/problem+json", problem)
}

// write answers with JSON.
func write(ctx huma.Context, status int, contentType string, body any) {
	ctx.SetHeader("Content-Type", contentType)
	ctx.SetStatus(status)
	_ = inJSON.Marshal(ctx.BodyWriter(), body) // the client is gone if this fails
}

// allowed rejects a viewer at an endpoint for operators. The gate before the listener
// rejects a viewer's changes too.
func allowed(ctx context.Context, operators bool) error {
	if operators && people.From(ctx).Role != people.Operator {
		return huma.Error403Forbidden("viewers have no access to this; ask an operator")
	}
	return nil
}
