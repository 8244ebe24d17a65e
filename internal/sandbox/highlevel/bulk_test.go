package highlevel

import (
	"fmt"
	"slices"
	"testing"

	"milepost/internal/sandbox/fakehttp/fakehttptest"
	"milepost/internal/testenv"
)

func TestBulkTagsChangeTheContactsOfTheLocationAndNameTheOthers(t *testing.T) {
	h := setup(t)
	foreign, err := h.SeedContact(Contact{LocationID: otherPlace, FirstName: "Far", Tags: []string{"far"}})
	fakehttptest.Must(t, err)
	bulk := func(kind, contacts, more string) map[string]any {
		t.Helper()
		return h.want(201, "POST", "/contacts/bulk/tags/update/"+kind, `{"locationId":"`+testLocation+`","contacts":[`+contacts+`]`+more+`}`)
	}
	me := `"` + h.contact.ID + `"`
	answer := bulk("add", me+`,"`+foreign.ID+`","none"`, `,"tags":["Buyer"]`)
	if answer["errorCount"] != 2.0 || !slices.Equal(h.Tags(h.contact.ID), []string{"vip", "buyer"}) || !slices.Equal(h.Tags(foreign.ID), []string{"far"}) {
		t.Errorf("added: %v, tags %v and %v", answer, h.Tags(h.contact.ID), h.Tags(foreign.ID))
	}
	bulk("remove", me, `,"tags":["VIP"]`)
	if got := h.Tags(h.contact.ID); !slices.Equal(got, []string{"buyer"}) {
		t.Errorf("removed: %v", got)
	}
	bulk("remove", me, `,"tags":[],"removeAllTags":true`)
	if got := h.Tags(h.contact.ID); len(got) != 0 {
		t.Errorf("removed all: %v", got)
	}
	if got := fmt.Sprint(h.types()); got != "[ContactTagUpdate ContactTagUpdate ContactTagUpdate]" {
		t.Errorf("sent %s", got)
	}
	h.want(400, "POST", "/contacts/bulk/tags/update/set", `{"locationId":"`+testLocation+`","contacts":[],"tags":[]}`)
}

func TestContactsOfABusinessAreLinkedWithoutAWebhook(t *testing.T) {
	h := setup(t)
	link := func(status int, business, contact string) {
		t.Helper()
		h.want(status, "POST", "/contacts/bulk/business", `{"locationId":"`+testLocation+`","businessId":`+business+`,"ids":["`+contact+`"]}`)
	}
	of := func() any {
		t.Helper()
		return h.want(200, "GET", "/contacts/business/biz?locationId="+testLocation+"&limit=10&skip=0", "")["count"]
	}
	link(200, `"biz"`, h.contact.ID)
	if of() != 1.0 || h.want(200, "GET", "/contacts/"+h.contact.ID, "")["contact"].(map[string]any)["businessId"] != "biz" {
		t.Error("the contact is not linked")
	}
	link(200, "null", h.contact.ID)
	if of() != 0.0 {
		t.Error("the contact is still linked")
	}
	link(400, `"biz"`, "none")
	if sent := h.types(); len(sent) != 0 {
		t.Errorf("sent %v", sent)
	}
}

func TestEnrolmentsFollowersAndTheTagDictionaryKeepTheirContract(t *testing.T) {
	testenv.Long(t)
	h := setup(t)
	h.underContract()
	me := "/contacts/" + h.contact.ID
	w := h.SeedWorkflow(testLocation, Workflow{Name: "Nurture"})
	h.want(201, "POST", me+"/workflow/"+w.ID, `{"eventStartTime":"2026-12-01T10:00:00Z"}`)
	if got := h.Enrolled(h.contact.ID); !slices.Equal(got, []string{w.ID}) {
		t.Errorf("enrolled in %v", got)
	}
	h.want(200, "DELETE", me+"/workflow/"+w.ID, `{}`)
	h.want(400, "POST", me+"/workflow/none", `{}`)
	if got := h.Enrolled(h.contact.ID); len(got) != 0 {
		t.Errorf("still enrolled in %v", got)
	}
	h.want(201, "POST", me+"/campaigns/camp", `{}`)
	h.want(200, "DELETE", me+"/campaigns/camp", "")
	h.want(400, "DELETE", me+"/campaigns/camp", "")
	h.want(200, "DELETE", me+"/campaigns/removeAll", "")
	if got := h.want(201, "POST", me+"/followers", `{"followers":["user1"]}`); fmt.Sprint(got["followers"], got["followersAdded"]) != "[user1] [user1]" {
		t.Errorf("followers %v", got)
	}
	if got := h.want(200, "DELETE", me+"/followers", `{"followers":["user1"]}`); fmt.Sprint(got["followers"], got["followersRemoved"]) != "[] [user1]" {
		t.Errorf("followers %v", got)
	}
	h.want(400, "POST", me+"/followers", `{"followers":["nobody"]}`)

	dictionary := "/locations/" + testLocation + "/tags"
	tag := dictionary + "/" + id(t, h.want(200, "POST", dictionary, `{"name":"Seller"}`), "tag")
	h.want(400, "POST", dictionary, `{"name":"seller"}`)
	if got := h.want(200, "PUT", tag, `{"name":"Owner"}`)["tag"].(map[string]any); got["name"] != "owner" {
		t.Errorf("renamed to %v", got)
	}
	h.want(200, "GET", tag, "")
	h.want(200, "DELETE", tag, "")
	h.want(400, "GET", tag, "")
	h.want(200, "GET", "/locations/"+testLocation+"/customFields/fieldDate", "")
	h.want(200, "GET", "/locations/"+testLocation+"/customFields/contact.milestone", "")
	h.want(400, "GET", "/locations/"+testLocation+"/customFields/none", "")
}

func TestRemovalFromAllCampaignsHasAnotherPathUnderV3(t *testing.T) {
	h := setup(t)
	h.headers["Version"] = "v3"
	me := "/contacts/" + h.contact.ID + "/campaigns/"
	h.want(400, "DELETE", me+"removeAll", "")
	if got := h.want(200, "DELETE", me+"remove-all", ""); got["succeeded"] != true {
		t.Errorf("answered %v", got)
	}
}
