"""Who is studied: patients, their masks, the participants table, and parts of a cohort."""
