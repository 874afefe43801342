"""ResourceQuotas: what each of them has used."""
