package sandbox

import (
	"fmt"
	"time"

	"milepost/internal/sandbox/calendarhero"
	"milepost/internal/sandbox/highlevel"
)

// seed builds both fakes and the business in them. Every date is ahead of the clock.
func (w *World) seed(config WorldConfig) error {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return fmt.Errorf("sandbox: time zone of the location: %w", err)
	}
	w.TimeZone = zone
	const locationID = "nwRealtyLoc000000001"
	high := highlevel.Config{
		Clock: config.Clock, AppID: config.AppID, Token: config.HighLevelToken,
		LocationIDs: []string{locationID}, WebhookURL: config.WebhookURL,
	}
	if config.HighLevel != nil {
		config.HighLevel(&high)
	}
	hero := calendarhero.Config{
		Clock: config.Clock, Token: config.CalendarHeroToken,
		User: calendarhero.User{Name: "Dana Whitfield", Email: "dana@northwind.example", TimeZone: zone.String()},
	}
	if config.CalendarHero != nil {
		config.CalendarHero(&hero)
	}
	w.HighLevel, w.CalendarHero = highlevel.New(high), calendarhero.New(hero)
	w.Location = w.HighLevel.SeedLocation(highlevel.Location{
		ID: locationID, Name: "Northwind Realty", TimeZone: zone.String(), Email: "office@northwind.example", Phone: "+12125550100",
		Address: "48 Harbor Street", City: "Beacon", State: "NY", Country: "US", PostalCode: "12508",
	}, []highlevel.User{
		{ID: "nwUserDana0000000001", FirstName: "Dana", LastName: "Whitfield", Email: "dana@northwind.example", Phone: "+12125550101"},
		{ID: "nwUserMarcus00000001", FirstName: "Marcus", LastName: "Oyelaran", Email: "marcus@northwind.example", Phone: "+12125550102"},
	}, []highlevel.CustomField{
		{ID: "nwFieldMilestone0001", Name: "Milestone", FieldKey: "contact.milestone", DataType: "SINGLE_OPTIONS", Options: []string{
			"Listing signed", "Photos and staging", "Offer accepted", "Home inspection", "Appraisal", "Final walkthrough", "Closing", "Move-in check-in",
		}},
		{ID: "nwFieldMilestoneDt01", Name: "Milestone Date", FieldKey: "contact.milestone_date", DataType: "DATE"},
	})
	w.App = w.HighLevel.AddApp(highlevel.OAuthApp{Name: "Milepost", ClientSecret: "sandbox-client-secret"})
	w.Users = w.HighLevel.Users(locationID)
	fields := w.HighLevel.CustomFields(locationID)
	w.MilestoneField, w.DateField = fields[0], fields[1]
	if config.Empty {
		return nil
	}
	w.seedChoices()
	return w.seedPeople()
}

// seedChoices adds what an automation can refer to: pipelines, calendars, workflows
// and their like.
func (w *World) seedChoices() {
	at, high := w.Location.ID, w.HighLevel
	high.SeedPipeline(at, highlevel.Pipeline{ID: "nwPipelineSales00001", Name: "Sales", Stages: []highlevel.Stage{
		{ID: "0b9c2f7e-5a41-4f0d-8f43-3d1f5f0c1a01", Name: "New inquiry"},
		{ID: "0b9c2f7e-5a41-4f0d-8f43-3d1f5f0c1a02", Name: "Viewing"},
		{ID: "0b9c2f7e-5a41-4f0d-8f43-3d1f5f0c1a03", Name: "Offer"},
		{ID: "0b9c2f7e-5a41-4f0d-8f43-3d1f5f0c1a04", Name: "Under contract"},
	}})
	high.SeedLostReason(at, highlevel.LostReason{ID: "nwLostReasonPrice001", Name: "Too expensive"})
	high.SeedCalendarGroup(at, highlevel.CalendarGroup{ID: "nwCalendarGroup00001", Name: "Sales"})
	high.SeedCalendar(at, highlevel.Calendar{ID: "nwCalendarViewings01", Name: "Viewings", GroupID: "nwCalendarGroup00001", UserIDs: []string{w.Users[0].ID}})
	high.SeedWorkflow(at, highlevel.Workflow{ID: "5d3a7c1e-7b52-4b1f-9b57-6a2a2f0e9c01", Name: "Welcome a new buyer"})
	high.SeedCampaign(at, highlevel.Campaign{ID: "nwCampaignSpring0001", Name: "Spring listings"})
	high.SeedBusiness(at, highlevel.Business{ID: "63b7ec34ea409a9a8bd2a401", Fields: map[string]string{"name": "Beacon Title & Escrow", "phone": "+12125550130"}})
	high.SeedTemplate(at, highlevel.Template{ID: "nwTemplateWelcome001", Name: "Welcome", Type: "email", Subject: "Welcome to Northwind Realty", Body: "<p>Hello!</p>"})
}

type seedPerson struct {
	contact        highlevel.Contact
	milestone      string
	inDays         int // of the milestone
	tasks          []seedTask
	notes          []string
	inCalendarHero bool
}

type seedTask struct {
	title, body string
	inDays      int
	hour        int
	done        bool
}

func (w *World) seedPeople() error {
	dana, marcus := w.Users[0].ID, w.Users[1].ID
	people := []seedPerson{
		{
			contact: highlevel.Contact{
				ID: "nwContactPriya000001", FirstName: "Priya", LastName: "Raman", Email: "priya.raman@mail.example", Phone: "+12125550111",
				Tags: []string{"buyer", "first home"}, AssignedTo: dana, Source: "open house",
			},
			milestone: "Home inspection", inDays: 5,
			tasks: []seedTask{
				{title: "Confirm the inspector", body: "Ask whether the crawl space is included.", inDays: 2, hour: 10},
				{title: "Send the pre-inspection checklist", inDays: 3, hour: 16},
			},
			notes:          []string{"Prefers mornings. Parking is behind the building, not on Elm Street."},
			inCalendarHero: true,
		},
		{
			contact: highlevel.Contact{
				ID: "nwContactJose0000001", FirstName: "José", LastName: "Álvarez-Montenegro", Email: "jose.alvarez@mail.example", Phone: "+12125550112",
				Tags: []string{"seller", "vip"}, AssignedTo: dana, CompanyName: "Álvarez & Hijos",
			},
			milestone: "Closing", inDays: 21,
			tasks: []seedTask{{title: "Order the title search", inDays: 7, hour: 9}},
			notes: []string{
				"Wants to close before the holidays if the bank allows it.",
				"Spoke with the lender: the appraisal came in <b>above</b> the asking price; papers follow by mail.",
			},
		},
		{
			contact: highlevel.Contact{
				ID: "nwContactMaximil0001", FirstName: "Maximiliana", LastName: "Featherstonehaugh-Wolfeschlegelsteinhausen",
				Email: "maximiliana.featherstonehaugh-wolfeschlegelsteinhausen@correspondence.example", Phone: "+12125550113",
				Tags: []string{"buyer", "relocation from overseas", "needs a place that accepts two very large dogs"}, AssignedTo: marcus,
			},
			milestone: "Final walkthrough", inDays: 12,
			tasks: []seedTask{{
				title: "Go through the long list of small repairs agreed in the addendum and have each one confirmed by the seller in writing",
				body:  "Kitchen tap, cellar door, the window on the landing, and the light over the side entrance.", inDays: 9, hour: 14,
			}},
			notes: []string{"Calls from a different time zone, so please propose times in the late afternoon."},
		},
		{
			contact: highlevel.Contact{ID: "nwContactSamLi000001", FirstName: "Sam", LastName: "Li", Email: "sam@li.example", Tags: []string{"seller"}, AssignedTo: marcus},
			tasks: []seedTask{
				{title: "Call back", inDays: 1, hour: 11},
				{title: "Send the comparables", inDays: 1, hour: 9, done: true},
			},
		},
		{
			// No e-mail: CalendarHero can hold no such contact.
			contact: highlevel.Contact{
				ID: "nwContactGreta000001", FirstName: "Greta", LastName: "Lindqvist", Phone: "+12125550115",
				Tags: []string{"seller", "phone only"}, AssignedTo: dana,
			},
			milestone: "Appraisal", inDays: 8,
			notes: []string{"No e-mail address; call her in the evening."},
		},
	}
	now := w.clock().In(w.TimeZone)
	day := func(in, hour int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+in, hour, 0, 0, 0, w.TimeZone)
	}
	for i, p := range people {
		p.contact.DateAdded = w.clock().AddDate(0, 0, i-40)
		p.contact.TimeZone = w.TimeZone.String()
		if p.milestone != "" {
			p.contact.CustomFields = map[string]any{
				w.MilestoneField.ID: p.milestone, w.DateField.ID: day(p.inDays, 0).Format(time.DateOnly),
			}
		}
		contact, err := w.HighLevel.SeedContact(p.contact)
		if err != nil {
			return fmt.Errorf("sandbox: seed: %w", err)
		}
		for _, task := range p.tasks {
			if _, err := w.HighLevel.SeedTask(highlevel.Task{
				ContactID: contact.ID, Title: task.title, Body: task.body, AssignedTo: contact.AssignedTo,
				DueDate: day(task.inDays, task.hour), Completed: task.done,
			}); err != nil {
				return fmt.Errorf("sandbox: seed: %w", err)
			}
		}
		for j, note := range p.notes {
			if _, err := w.HighLevel.SeedNote(highlevel.Note{
				ContactID: contact.ID, Body: note, UserID: contact.AssignedTo,
				DateAdded: w.clock().Add(-time.Duration(len(p.notes)-j) * 26 * time.Hour),
			}); err != nil {
				return fmt.Errorf("sandbox: seed: %w", err)
			}
		}
		if p.inCalendarHero {
			if _, err := w.CalendarHero.SeedContact(calendarhero.Contact{
				Name: contact.Name(), Email: []string{contact.Email}, Title: "Buyer", Telephone: []string{contact.Phone},
			}); err != nil {
				return fmt.Errorf("sandbox: seed: %w", err)
			}
		}
	}
	return nil
}
