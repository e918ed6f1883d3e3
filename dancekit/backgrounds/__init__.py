"""What is behind the person: painted by the generator, or the target's clean plate."""
