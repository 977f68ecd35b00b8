"""A few rows in exactly the layout of each published set; all subjects and answers are made up or common knowledge."""

KNOWN_1000 = [
    {
        "known_id": 0,
        "subject": "Mount Marlo",
        "attribute": "Antarctica",
        "template": "{} is located in the continent",
        "prediction": " of Antarctica. It is the largest of the three",
        "prompt": "Mount Marlo is located in the continent of",
        "relation_id": "P30",
    },
    {
        "known_id": 17,
        "subject": "Ivry",
        "attribute": "Western Australia",
        "template": "Where is {}? It is located in",
        "prediction": " Western Australia",
        "prompt": "Where is Ivry? It is located in",
        "relation_id": "P131",
    },
]

NESTED_COUNTERFACT = [
    {
        "case_id": 0,
        "pararel_idx": 2796,
        "requested_rewrite": {
            "prompt": "The mother tongue of {} is",
            "relation_id": "P103",
            "target_new": {"str": "English", "id": "Q1860"},
            "target_true": {"str": "French", "id": "Q150"},
            "subject": "Danielle Marlo",
        },
        "paraphrase_prompts": ["Shayna does this and Yossel goes still. Danielle Marlo, a native"],
        "neighborhood_prompts": ["The mother tongue of Léon Blum is"],
        "attribute_prompts": ["J.R.R. Tolkien is a native speaker of"],
        "generation_prompts": ["Danielle Marlo's mother tongue is"],
    }
]

FLAT_COUNTERFACT = [
    {
        "relation": "The mother tongue of {} is",
        "relation_prefix": "The mother tongue of",
        "relation_suffix": " is",
        "prompt": "The mother tongue of Danielle Marlo is",
        "relation_id": "P103",
        "target_false_id": "Q1860",
        "target_true_id": "Q150",
        "target_true": " French",
        "target_false": " English",
        "subject": "Danielle Marlo",
    }
]

PRISM = [
    {
        "sub_label": "Allan Marlo",
        "obj_label": "Reno",
        "answers": ["Reno", "Reno, Nevada"],
        "predicate_id": "P19",
        "template": "[X] was born in [Y] .",
    },
    {
        "sub_label": "Ivry",
        "obj_label": "Lyon",
        "answers": ["Lyon"],
        "predicate_id": "P131",
        "template": "{} lies near",
    },
]

POP_QA = [
    {
        "id": 4222362,
        "subj": "George Marlo",
        "prop": "occupation",
        "obj": "politician",
        "subj_id": 1850297,
        "prop_id": 22,
        "obj_id": 2834605,
        "s_aliases": '["George Q. Marlo"]',
        "o_aliases": '["political leader","political figure"]',
        "s_uri": "http://www.wikidata.org/entity/Q0",
        "s_wiki_title": "George Marlo",
        "s_pop": 142,
        "o_pop": 25692,
        "question": "What is George Marlo's occupation?",
        "possible_answers": '["politician", "political leader", "political figure", "polit."]',
    }
]
