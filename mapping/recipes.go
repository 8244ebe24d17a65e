package mapping

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed recipes.yaml
var recipes []byte

// Recipes returns the ready-made automations as YAML, with comments, to read, to
// copy and to load.
func Recipes() []byte { return slices.Clone(recipes) }

// Recipe is a ready-made automation, for people to choose.
type Recipe struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Group string `json:"group"`
	Does  string `json:"does"` // in a sentence
	On    bool   `json:"on"`   // switched on in a new installation

	Needs Needed   `json:"needs"`
	Mails []Mailed `json:"mails,omitempty"` // whom it may mail; nil = nobody
	YAML  string   `json:"yaml"`
}

// The groups of recipes.
const (
	GroupContacts      = "contacts"
	GroupMilestones    = "milestones"
	GroupTasks         = "tasks"
	GroupNotesAndTags  = "notes and tags"
	GroupBirthdays     = "birthdays and anniversaries"
	GroupAppointments  = "appointments"
	GroupOpportunities = "opportunities"
	GroupWorkflows     = "workflows"
	GroupBack          = "back from CalendarHero"
)

// Groups lists the groups in the order in which to show them.
func Groups() []string {
	return []string{
		GroupMilestones, GroupTasks, GroupNotesAndTags, GroupContacts, GroupBirthdays,
		GroupAppointments, GroupOpportunities, GroupWorkflows, GroupBack,
	}
}

// recipeTexts are the groups of the recipes, and what they do, by id.
var recipeTexts = map[string]struct{ group, does string }{
	"contact-to-calendarhero-contact":                  {GroupContacts, "Keeps each contact with an e-mail address in CalendarHero too; name, address and telephone go both ways."},
	"new-contact-to-highlevel-task":                    {GroupContacts, "Gives the contact's user a task to call a new contact."},
	"do-not-disturb-to-tag":                            {GroupContacts, "Adds the tag do-not-disturb when a contact is set to do not disturb."},
	"milestone-to-calendar-event":                      {GroupMilestones, "Puts a contact's milestone into the owner's calendar, with reminders, notes and tags."},
	"approaching-milestone-to-highlevel-task":          {GroupMilestones, "Creates a task in HighLevel three days before a milestone."},
	"task-to-calendar-task":                            {GroupTasks, "Puts each open task into the owner's calendar, ending when it is due, and removes it when the task is completed."},
	"edited-task-to-highlevel-note":                    {GroupTasks, "Leaves a note when somebody edits a task, for which HighLevel sends no webhook."},
	"deleted-task-to-highlevel-note":                   {GroupTasks, "Leaves a note when somebody deletes an open task."},
	"note-to-calendar-note-with-tags":                  {GroupNotesAndTags, "Shows a contact's notes in its calendar entries, and makes tags of their #hashtags."},
	"follow-up-tag-to-calendar-task":                   {GroupNotesAndTags, "Gives the owner a calendar task three days after a contact got the tag follow-up."},
	"birthday-to-highlevel-task":                       {GroupBirthdays, "Creates a task in HighLevel a week before each birthday, year after year."},
	"birthday-to-calendar-event":                       {GroupBirthdays, "Puts the next birthday of each contact into the owner's calendar, year after year."},
	"customer-anniversary-to-highlevel-task":           {GroupBirthdays, "Creates a task in HighLevel three days before the day on which a customer was added, year after year."},
	"appointment-to-calendar-event":                    {GroupAppointments, "Puts each confirmed appointment into the owner's CalendarHero, with notes and tags."},
	"approaching-appointment-to-highlevel-task":        {GroupAppointments, "Creates a task in HighLevel a day before a confirmed appointment."},
	"missed-appointment-to-highlevel-task":             {GroupAppointments, "Creates a task in HighLevel for the day after an appointment to which the contact did not come."},
	"opportunity-stage-to-calendar-task":               {GroupOpportunities, "Gives the owner a calendar task a week after an opportunity came to the stage Proposal sent."},
	"opportunity-stage-to-highlevel-note":              {GroupOpportunities, "Keeps a note on the contact that says in which stage the opportunity is."},
	"won-opportunity-to-customer-tag":                  {GroupOpportunities, "Adds the tag customer and leaves a note when an opportunity is won."},
	"workflow-milestone-to-calendar-event":             {GroupWorkflows, "Puts the milestone that a workflow sends into the owner's calendar."},
	"approaching-workflow-milestone-to-highlevel-note": {GroupWorkflows, "Leaves a note two days before the milestone that a workflow sent."},
	"rescheduled-meeting-moves-the-task":               {GroupBack, "Moves the due date of a task when its meeting is moved in CalendarHero."},
	"scheduled-meeting-to-highlevel-note":              {GroupBack, "Leaves a note when a contact books a meeting through a scheduling link."},
	"moved-scheduled-meeting-to-highlevel-note":        {GroupBack, "Leaves a note when such a meeting is moved."},
	"cancelled-scheduled-meeting-to-highlevel-note":    {GroupBack, "Leaves a note when such a meeting is cancelled."},
	"booked-meeting-to-highlevel-note":                 {GroupBack, "Leaves a note when a meeting that Milepost asked for is booked."},
	"cancelled-meeting-to-highlevel-note":              {GroupBack, "Leaves a note when a meeting that Milepost asked for is cancelled."},
	"expired-meeting-to-highlevel-note":                {GroupBack, "Leaves a note when nobody answers a meeting request of Milepost in time."},
	"completed-meeting-completes-the-task":             {GroupBack, "Completes a task when the time of its meeting has passed."},
	"new-calendarhero-contact-to-highlevel-contact":    {GroupBack, "Creates a contact in HighLevel for a new contact from a scheduling link."},
}

// RecipeBook lists the recipes in the order of their groups.
func RecipeBook() []Recipe {
	set, err := Load("recipes.yaml", recipes)
	if err != nil {
		panic(err) // a test loads them
	}
	texts, err := Split(recipes)
	if err != nil {
		panic(err)
	}
	all := make([]Recipe, len(texts))
	for i, a := range set.Automations() {
		about := recipeTexts[a.ID]
		all[i] = Recipe{
			ID: a.ID, Name: a.Name, Group: about.group, Does: about.does, On: a.State == StateOn,
			Needs: a.Needed(), Mails: a.Mails(), YAML: strings.TrimSpace(texts[i]) + "\n",
		}
	}
	groups := Groups()
	slices.SortStableFunc(all, func(a, b Recipe) int { return slices.Index(groups, a.Group) - slices.Index(groups, b.Group) })
	return all
}
