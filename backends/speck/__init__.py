"""SynSense DYNAP-CNN / Speck2f: event-driven integer arithmetic, discretisation, memory limits."""
