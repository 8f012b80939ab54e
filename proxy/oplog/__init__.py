"""Operations, the queue before the sinks, and the sinks."""
