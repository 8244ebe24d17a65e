package calendarhero

import (
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"milepost/internal/sandbox/fakehttp"
)

// directory is a public page that groups meeting types. The shape in which
// it is answered is not known; this is the body of its create, with its id.
type directory struct {
	UUID         string `json:"uuid"`
	Name         string `json:"directoryName"`
	MeetingTypes []struct {
		Name   string `json:"name"`
		UserID string `json:"userId,omitempty"`
	} `json:"meetingTypes"`
	Code         string `json:"code,omitempty"`
	Title        string `json:"title,omitempty"`
	Instructions string `json:"instructions,omitempty"`
	IsDefault    bool   `json:"isDefault"`
	Locked       bool   `json:"locked"`
	TrackingIDs  []struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"googleTrackingIds,omitempty"`
}

func readDirectory(call *call) (d directory, no *boom) {
	raw, ok := call.body["directory"]
	switch {
	case !ok:
		return d, invalid("payload", "directory", "is required")
	case strictJSON(raw, &d) != nil || d.UUID != "":
		return d, invalid("payload", "directory", "holds a key that is not allowed")
	case d.Name == "":
		return d, invalid("payload", "directoryName", "is required")
	case d.MeetingTypes == nil:
		return d, invalid("payload", "meetingTypes", "is required")
	}
	return d, nil
}

func (c *Server) listDirectories(*call) (int, any, *boom) {
	return http.StatusOK, append([]directory{}, c.directories...), nil
}

func (c *Server) createDirectory(call *call) (int, any, *boom) {
	d, no := readDirectory(call)
	if no != nil {
		return 0, nil, no
	}
	d.UUID = fakehttp.UUID()
	c.directories = append(c.directories, d)
	return http.StatusOK, map[string]any{"id": d.UUID}, nil
}

// directory finds the path's directory; -1 where there is none.
func (c *Server) directory(call *call) int {
	return slices.IndexFunc(c.directories, func(d directory) bool { return d.UUID == chi.URLParam(call.r, "uuid") })
}

func noDirectory() (int, any, *boom) {
	return 0, nil, boomf(http.StatusNotFound, "Directory not found")
}

func (c *Server) getDirectory(call *call) (int, any, *boom) {
	if i := c.directory(call); i >= 0 {
		return http.StatusOK, c.directories[i], nil
	}
	return noDirectory()
}

func (c *Server) updateDirectory(call *call) (int, any, *boom) {
	i := c.directory(call)
	if i < 0 {
		return noDirectory()
	}
	d, no := readDirectory(call)
	if no != nil {
		return 0, nil, no
	}
	d.UUID = c.directories[i].UUID
	c.directories[i] = d
	return http.StatusOK, d, nil
}

func (c *Server) deleteDirectory(call *call) (int, any, *boom) {
	i := c.directory(call)
	if i < 0 {
		return noDirectory()
	}
	c.directories = slices.Delete(c.directories, i, i+1)
	return http.StatusOK, map[string]any{}, nil
}
