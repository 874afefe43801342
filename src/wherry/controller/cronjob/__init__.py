"""CronJobs: a Job at each of the times that a schedule tells."""
