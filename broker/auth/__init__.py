"""Who calls: clients of instances, officers, operators."""
