"""Everything behind the queue: the threads, the lanes, the attempts and the ending."""
