"""What runs turns and activities: the app in this process, or connected SDK workers."""
